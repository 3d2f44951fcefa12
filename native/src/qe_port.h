/* The few compiler and system differences, in one place. */
#ifndef QE_PORT_H
#define QE_PORT_H

#if defined(__GNUC__) || defined(__clang__)
#define QE_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define QE_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define QE_NOINLINE __attribute__((noinline))
#else
#define QE_PRINTF(text, first)
#define QE_LIKELY(condition) (condition)
#define QE_NOINLINE
#endif

/* Defines, in the text of a file, a function that jumps to where a pointer says, with
 * all arguments and whatever it returns untouched. */
#if defined(__x86_64__)
#define QE_JUMP_THROUGH(name, pointer) \
  QE_CODE(name, "endbr64\n jmpq *" #pointer "(%rip)\n")
#elif defined(__aarch64__)
#define QE_JUMP_THROUGH(name, pointer)           \
  QE_CODE(name, "hint #34\n adrp x16, " #pointer \
                "\n"                             \
                "ldr x16, [x16, :lo12:" #pointer "]\n br x16\n")
#endif
#define QE_CODE(name, code)                                                     \
  __asm__(".pushsection .text\n .balign 16\n .globl " #name "\n .hidden " #name \
          "\n .type " #name ", %function\n" #name ":\n" code ".size " #name     \
          ", . - " #name "\n .popsection\n");

#endif
