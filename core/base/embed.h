/*
 * embed - a file of the source tree as bytes of the program.
 * EMBED(locale_en, "locales/en.json") declares `const char locale_en[]` (NUL-terminated);
 * EMBED_SIZE(locale_en) is its length.
 */
#ifndef NANOTIK_EMBED_H
#define NANOTIK_EMBED_H

#define EMBED(name, path)                                                                        \
    __asm__(".section .rodata\n"                                                                 \
            ".global " #name "\n.global " #name "_end\n" #name ":\n.incbin \"" path "\"\n" #name \
            "_end:\n.byte 0\n"                                                                   \
            ".previous\n");                                                                      \
    extern const char(name)[];                                                                   \
    extern const char name##_end[]

#define EMBED_SIZE(name) ((size_t)(name##_end - (name)))

#endif
