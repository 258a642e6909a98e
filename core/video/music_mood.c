#include "core/video/music_priv.h"

/* Chords as root above the tonic and tones above the root. */
#define MAJ(r)          \
    {                   \
        (r), 4,         \
        {               \
            0, 4, 7, 12 \
        }               \
    }
#define MIN_(r)         \
    {                   \
        (r), 4,         \
        {               \
            0, 3, 7, 12 \
        }               \
    }
#define ADD9(r)         \
    {                   \
        (r), 4,         \
        {               \
            0, 4, 7, 14 \
        }               \
    }
#define MAJ7(r)         \
    {                   \
        (r), 4,         \
        {               \
            0, 4, 7, 11 \
        }               \
    }
#define MAJ9(r)             \
    {                       \
        (r), 5,             \
        {                   \
            0, 4, 7, 11, 14 \
        }                   \
    }
#define MIN7(r)         \
    {                   \
        (r), 4,         \
        {               \
            0, 3, 7, 10 \
        }               \
    }
#define MIN9(r)             \
    {                       \
        (r), 5,             \
        {                   \
            0, 3, 7, 10, 14 \
        }                   \
    }
#define DOM7(r)         \
    {                   \
        (r), 4,         \
        {               \
            0, 4, 7, 10 \
        }               \
    }
#define SUS2(r)         \
    {                   \
        (r), 4,         \
        {               \
            0, 2, 7, 12 \
        }               \
    }
#define SUS4(r)         \
    {                   \
        (r), 4,         \
        {               \
            0, 5, 7, 12 \
        }               \
    }
#define SIX(r)         \
    {                  \
        (r), 4,        \
        {              \
            0, 4, 7, 9 \
        }              \
    }

static const struct chord calm_chords[][4] = {
    {MAJ7(0), MAJ7(5), MIN7(9), SUS4(7)},
    {MAJ9(0), MIN7(4), MAJ7(5), SUS2(7)},
    {MAJ7(5), ADD9(0), MIN7(9), ADD9(7)},
    {MIN7(9), MAJ7(5), MAJ9(0), SUS4(7)},
};
static const struct chord upbeat_chords[][4] = {
    {ADD9(0), MAJ(7),  MIN7(9), ADD9(5)},
    {MIN7(9), ADD9(5), ADD9(0), SUS4(7)},
    {ADD9(0), ADD9(5), MIN7(9), MAJ(7) },
    {ADD9(5), MAJ(7),  MIN7(4), MIN7(9)},
};
static const struct chord dramatic_chords[][4] = {
    {MIN_(0), MAJ(8),  MAJ(3),  SUS2(10)},
    {MIN_(0), MIN_(5), MAJ7(8), MAJ(7)  },
    {MIN9(0), MAJ(10), MAJ7(8), SUS4(7) },
    {MIN_(0), MAJ7(8), MIN7(5), MAJ(7)  },
};
static const struct chord inspiring_chords[][4] = {
    {ADD9(5), ADD9(0), SUS2(7), MIN7(9)},
    {ADD9(0), MIN7(9), MAJ7(5), SUS4(7)},
    {ADD9(0), SUS2(7), MIN7(9), MAJ7(5)},
    {MIN7(9), MAJ7(5), ADD9(0), SUS2(7)},
};
static const struct chord mysterious_chords[][4] = {
    {MIN9(0), MIN7(5), MIN9(0), MAJ7(8) },
    {MIN7(0), ADD9(5), MIN7(0), SUS2(10)},
    {MIN9(0), MAJ7(1), MIN9(0), MIN7(10)},
    {MIN7(0), MAJ7(8), MIN7(5), SUS4(7) },
};
static const struct chord playful_chords[][4] = {
    {SIX(0),  MIN7(9), MIN7(2), DOM7(7)},
    {SIX(0),  MIN7(2), MAJ7(5), DOM7(7)},
    {MAJ7(5), SIX(0),  MIN7(2), DOM7(7)},
    {SIX(0),  MIN7(4), MIN7(2), SUS4(7)},
};

#define CHORDS(table) .progressions = (table), .progression_count = COUNT(table)

static const struct mood calm = {
    .name = "calm",
    .bpm_low = 68,
    .bpm_high = 78,
    CHORDS(calm_chords),
    .arp = INST_KEYS,
    .lead = INST_BELL,
    .arp_rhythm = "0.1.2.3.2.1.3.2.",
    .bass_rhythm = "1.......1.....5.",
    .kick = "................",
    .snap = "................",
    .shaker = "..2...3...2...3.",
    .drum = INST_KICK,
    .bright = 0.30,
    .pad = 1.0,
    .pluck = 0.75,
    .bass = 0.75,
    .perc = 0.45,
    .reverb = 0.9,
};
static const struct mood upbeat = {
    .name = "upbeat",
    .bpm_low = 104,
    .bpm_high = 114,
    CHORDS(upbeat_chords),
    .arp = INST_PLUCK,
    .lead = INST_KEYS,
    .arp_rhythm = "0.21.20.12.03.2.",
    .bass_rhythm = "1..1..1.1..1.5..",
    .kick = "8...6...8...6...",
    .snap = "....6.......6..2",
    .shaker = "3.5.3.5.3.5.3.54",
    .drum = INST_KICK,
    .bright = 0.55,
    .pad = 0.7,
    .pluck = 0.9,
    .bass = 0.9,
    .perc = 0.9,
    .reverb = 0.5,
};
static const struct mood dramatic = {
    .name = "dramatic",
    .bpm_low = 78,
    .bpm_high = 88,
    .minor = true,
    CHORDS(dramatic_chords),
    .arp = INST_PLUCK,
    .lead = INST_KEYS,
    .arp_rhythm = "00.00.0020.00.10",
    .bass_rhythm = "1.......1...1...",
    .kick = "9.........5.....",
    .snap = "................",
    .shaker = "2.2.3.2.2.2.3.23",
    .drum = INST_BOOM,
    .bright = 0.45,
    .pad = 1.0,
    .pluck = 0.6,
    .bass = 0.95,
    .perc = 0.9,
    .reverb = 0.9,
};
static const struct mood inspiring = {
    .name = "inspiring",
    .bpm_low = 90,
    .bpm_high = 100,
    CHORDS(inspiring_chords),
    .arp = INST_KEYS,
    .lead = INST_PLUCK,
    .arp_rhythm = "0.2.1.2.3.2.1.2.",
    .bass_rhythm = "1.....1.1.....5.",
    .kick = "7.......6.4.....",
    .snap = "............4...",
    .shaker = "2.4.2.4.2.4.2.43",
    .drum = INST_KICK,
    .bright = 0.5,
    .pad = 0.95,
    .pluck = 0.85,
    .bass = 0.85,
    .perc = 0.7,
    .reverb = 0.75,
};
static const struct mood mysterious = {
    .name = "mysterious",
    .bpm_low = 70,
    .bpm_high = 80,
    .minor = true,
    CHORDS(mysterious_chords),
    .arp = INST_BELL,
    .lead = INST_MALLET,
    .arp_rhythm = "0..3..2...1..4..",
    .bass_rhythm = "1...........5...",
    .kick = "6.......3.......",
    .snap = "................",
    .shaker = "....2.......3...",
    .drum = INST_BOOM,
    .bright = 0.25,
    .pad = 1.05,
    .pluck = 0.7,
    .bass = 0.85,
    .perc = 0.55,
    .reverb = 1.1,
};
static const struct mood playful = {
    .name = "playful",
    .bpm_low = 108,
    .bpm_high = 118,
    .swing = 0.2,
    CHORDS(playful_chords),
    .arp = INST_MALLET,
    .lead = INST_PLUCK,
    .arp_rhythm = "0..2..1.3..2.1..",
    .bass_rhythm = "1...5...1...5.8.",
    .kick = "6.......6.......",
    .snap = "....4.......4...",
    .shaker = "..3...3...3...34",
    .drum = INST_KICK,
    .bright = 0.4,
    .pad = 0.5,
    .pluck = 1.0,
    .bass = 0.9,
    .perc = 0.75,
    .reverb = 0.45,
};

static const struct mood *const moods[] = {&calm,      &upbeat,     &dramatic,
                                           &inspiring, &mysterious, &playful};

const struct mood *mood_find(const char *name)
{
    for (size_t i = 0; i < COUNT(moods); i++)
        if (strcmp(moods[i]->name, name) == 0)
            return moods[i];
    return &calm;
}
