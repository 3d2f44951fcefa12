"""What this process runs on, and which targets fit it.

The way of a decision: `probe` reads the machine into facts, or `root` the files of
another one; `choose` compares facts with the rows of `rows` and knows no machine;
`select` turns the names people type into rows. `manifest` reads platforms.toml and
serves developers only; at run time there is nothing but the generated rows. Nothing
here loads an engine.

Nothing is imported here on purpose: the loader needs few of these modules and has a
budget of milliseconds.
"""
