#pragma GCC optimize("O3") /* runs over every pixel of such clips */
#include "core/video/tone.h"

#include <math.h>

#include <libavutil/pixdesc.h>

enum { GRID = 33 };

struct tone {
    int matrix[3][3];                   /* Q14, over (Y - 16, U - 128, V - 128) */
    int16_t table[GRID][GRID][GRID][3]; /* y, u, v of the input -> 8 bits with 6 more */
};

/* Kr and Kb of a matrix. */
static void weights_of(enum AVColorSpace s, double *kr, double *kb)
{
    switch (s) {
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
        *kr = 0.299, *kb = 0.114;
        break;
    case AVCOL_SPC_SMPTE240M:
        *kr = 0.212, *kb = 0.087;
        break;
    case AVCOL_SPC_FCC:
        *kr = 0.30, *kb = 0.11;
        break;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
        *kr = 0.2627, *kb = 0.0593;
        break;
    default:
        *kr = 0.2126, *kb = 0.0722;
        break;
    }
}

/* What the frame says, else what untagged pictures of its size are taken to have. */
static enum AVColorSpace matrix_of(const AVFrame *f)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
    if (d && (d->flags & AV_PIX_FMT_FLAG_RGB))
        return AVCOL_SPC_BT709; /* the scaler makes it so */
    if (f->colorspace != AVCOL_SPC_UNSPECIFIED && f->colorspace != AVCOL_SPC_RGB)
        return f->colorspace;
    if (f->color_primaries == AVCOL_PRI_BT2020)
        return AVCOL_SPC_BT2020_NCL;
    /* JPEG is bt601 by its standard; untagged video is by its size. */
    if (f->color_range == AVCOL_RANGE_JPEG || MIN(f->width, f->height) < 720)
        return AVCOL_SPC_SMPTE170M;
    return AVCOL_SPC_BT709;
}

static bool is_hdr(const AVFrame *f)
{
    return f->color_trc == AVCOL_TRC_SMPTE2084 || f->color_trc == AVCOL_TRC_ARIB_STD_B67;
}

enum tone_kind tone_needed(const AVFrame *f)
{
    enum AVColorSpace m = matrix_of(f);
    if (is_hdr(f) || m == AVCOL_SPC_BT2020_NCL || m == AVCOL_SPC_BT2020_CL)
        return TONE_TABLE;
    double kr, kb;
    weights_of(m, &kr, &kb);
    return fabs(kr - 0.2126) > 0.001 || fabs(kb - 0.0722) > 0.001 ? TONE_MATRIX : TONE_NONE;
}

/* --- light --- */

/* Signal 0..1 to light, 1 = white of an ordinary picture (203 nits). */
static double to_light(double v, enum AVColorTransferCharacteristic trc)
{
    v = CLAMP(v, 0.0, 1.0);
    if (trc == AVCOL_TRC_SMPTE2084) {
        double p = pow(v, 1 / 78.84375);
        double n = MAX(p - 0.8359375, 0.0) / (18.8515625 - 18.6875 * p);
        return 10000 * pow(n, 1 / 0.1593017578125) / 203;
    }
    if (trc == AVCOL_TRC_ARIB_STD_B67)
        return v <= 0.5 ? v * v / 3 : (exp((v - 0.55991073) / 0.17883277) + 0.28466892) / 12;
    return pow(v, 2.4);
}

/* HLG is scene light: the display's gamma, for a 1000-nit display. */
static void hlg_display(double rgb[3])
{
    double y = 0.2627 * rgb[0] + 0.6780 * rgb[1] + 0.0593 * rgb[2];
    double gain = y > 0 ? pow(y, 0.2) * 1000 / 203 : 0;
    for (int i = 0; i < 3; i++)
        rgb[i] *= gain;
}

/* As it is up to 0.6, then ever slower towards 1; hue is kept by scaling all three alike. */
static void roll_off(double rgb[3])
{
    const double knee = 0.6;
    double top = MAX(rgb[0], MAX(rgb[1], rgb[2]));
    if (top <= knee)
        return;
    double to = knee + (1 - knee) * (1 - exp(-(top - knee) / (1 - knee)));
    for (int i = 0; i < 3; i++)
        rgb[i] *= to / top;
}

static void bt2020_to_709(double c[3])
{
    double r = 1.660491 * c[0] - 0.587641 * c[1] - 0.072850 * c[2];
    double g = -0.124550 * c[0] + 1.132900 * c[1] - 0.008349 * c[2];
    double b = -0.018151 * c[0] - 0.100579 * c[1] + 1.118730 * c[2];
    c[0] = r, c[1] = g, c[2] = b;
}

static void look_up_exactly(const AVFrame *f, const double yuv[3], int16_t out[3])
{
    double kr, kb, rgb[3];
    weights_of(matrix_of(f), &kr, &kb);
    double kg = 1 - kr - kb, y = yuv[0], u = yuv[1], v = yuv[2];
    rgb[0] = y + 2 * (1 - kr) * v;
    rgb[2] = y + 2 * (1 - kb) * u;
    rgb[1] = (y - kr * rgb[0] - kb * rgb[2]) / kg;
    for (int i = 0; i < 3; i++)
        rgb[i] = to_light(rgb[i], f->color_trc);
    if (f->color_trc == AVCOL_TRC_ARIB_STD_B67)
        hlg_display(rgb);
    bool wide = f->color_primaries == AVCOL_PRI_BT2020 ||
                (f->color_primaries == AVCOL_PRI_UNSPECIFIED && kr > 0.26 && kr < 0.27);
    if (wide)
        bt2020_to_709(rgb);
    if (is_hdr(f))
        roll_off(rgb);
    for (int i = 0; i < 3; i++)
        rgb[i] = pow(CLAMP(rgb[i], 0.0, 1.0), 1 / 2.4);
    double luma = 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];
    out[0] = (int16_t)lrint((16 + 219 * luma) * 64);
    out[1] = (int16_t)lrint((128 + 224 * (rgb[2] - luma) / 1.8556) * 64);
    out[2] = (int16_t)lrint((128 + 224 * (rgb[0] - luma) / 1.5748) * 64);
}

static void fill_table(struct tone *t, const AVFrame *f)
{
    for (int y = 0; y < GRID; y++) {
        for (int u = 0; u < GRID; u++) {
            for (int v = 0; v < GRID; v++) {
                /* Grid point k stands for the 10-bit code 32 k. */
                double in[3] = {(y * 32 - 64) / 876.0, (u * 32 - 512) / 896.0,
                                (v * 32 - 512) / 896.0};
                look_up_exactly(f, in, t->table[y][u][v]);
            }
        }
    }
}

static void fill_matrix(struct tone *t, const AVFrame *f)
{
    double kr, kb, to_r = 0.2126, to_b = 0.0722, to_g = 1 - to_r - to_b;
    weights_of(matrix_of(f), &kr, &kb);
    double kg = 1 - kr - kb;
    for (int i = 0; i < 3; i++) {
        /* The i-th unit vector of the input, in codes, through RGB. */
        double y = i == 0 ? 1 / 219.0 : 0, u = i == 1 ? 1 / 224.0 : 0, v = i == 2 ? 1 / 224.0 : 0;
        double r = y + 2 * (1 - kr) * v, b = y + 2 * (1 - kb) * u;
        double g = (y - kr * r - kb * b) / kg;
        double luma = to_r * r + to_g * g + to_b * b;
        t->matrix[0][i] = (int)lrint(16384 * 219 * luma);
        t->matrix[1][i] = (int)lrint(16384 * 224 * (b - luma) / (2 * (1 - to_b)));
        t->matrix[2][i] = (int)lrint(16384 * 224 * (r - luma) / (2 * (1 - to_r)));
    }
}

struct tone *tone_create(const AVFrame *source, enum tone_kind kind)
{
    struct tone *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    if (kind == TONE_TABLE)
        fill_table(t, source);
    else
        fill_matrix(t, source);
    return t;
}

/* --- pixels --- */

static uint8_t to_byte(int q14)
{
    int v = (q14 + 8192) >> 14;
    return (uint8_t)CLAMP(v, 0, 255);
}

/* Chroma of luma row y / 2 is read for both rows and changed after the second. */
void tone_matrix(const struct tone *t, AVFrame *f)
{
    int width = f->width / 2;
    for (int y = 0; y < f->height; y++) {
        uint8_t *luma = f->data[0] + (ptrdiff_t)y * f->linesize[0];
        uint8_t *u = f->data[1] + (ptrdiff_t)(y / 2) * f->linesize[1];
        uint8_t *v = f->data[2] + (ptrdiff_t)(y / 2) * f->linesize[2];
        for (int x = 0; x < width; x++, luma += 2) {
            int cu = u[x] - 128, cv = v[x] - 128;
            int add = t->matrix[0][1] * cu + t->matrix[0][2] * cv + (16 << 14);
            luma[0] = to_byte(t->matrix[0][0] * (luma[0] - 16) + add);
            luma[1] = to_byte(t->matrix[0][0] * (luma[1] - 16) + add);
            if (y & 1) {
                u[x] = to_byte(t->matrix[1][1] * cu + t->matrix[1][2] * cv + (128 << 14));
                v[x] = to_byte(t->matrix[2][1] * cu + t->matrix[2][2] * cv + (128 << 14));
            }
        }
    }
}

/* Trilinear; which of y, u, v is wanted is fixed in the loop that calls this. */
static inline uint8_t look_up(const struct tone *t, int y, int u, int v, int want)
{
    int yi = y >> 5, ui = u >> 5, vi = v >> 5, yf = y & 31, uf = u & 31, vf = v & 31;
    int sum = 0;
    for (int k = 0; k < 8; k++) {
        int wy = k & 4 ? yf : 32 - yf, wu = k & 2 ? uf : 32 - uf, wv = k & 1 ? vf : 32 - vf;
        sum += t->table[yi + (k >> 2)][ui + (k >> 1 & 1)][vi + (k & 1)][want] * (wy * wu * wv >> 3);
    }
    int value = (sum + (1 << 17)) >> 18; /* 12 bits of weight, 6 of the table */
    return (uint8_t)CLAMP(value, 0, 255);
}

static const uint16_t *row16(const AVFrame *f, int plane, int y)
{
    return (const uint16_t *)(const void *)(f->data[plane] + (ptrdiff_t)y * f->linesize[plane]);
}

void tone_table(const struct tone *t, const AVFrame *from, AVFrame *to)
{
    for (int y = 0; y < from->height; y++) {
        const uint16_t *luma = row16(from, 0, y);
        const uint16_t *u = row16(from, 1, y / 2), *v = row16(from, 2, y / 2);
        uint8_t *out = to->data[0] + (ptrdiff_t)y * to->linesize[0];
        uint8_t *out_u = to->data[1] + (ptrdiff_t)(y / 2) * to->linesize[1];
        uint8_t *out_v = to->data[2] + (ptrdiff_t)(y / 2) * to->linesize[2];
        for (int x = 0; x < from->width; x++)
            out[x] = look_up(t, luma[x] & 1023, u[x / 2] & 1023, v[x / 2] & 1023, 0);
        /* Chroma of a pair of rows is looked up with the luma at its own place: left, upper row. */
        for (int x = 0; x < from->width / 2 && !(y & 1); x++, luma += 2) {
            out_u[x] = look_up(t, luma[0] & 1023, u[x] & 1023, v[x] & 1023, 1);
            out_v[x] = look_up(t, luma[0] & 1023, u[x] & 1023, v[x] & 1023, 2);
        }
    }
}

void tone_destroy(struct tone *t)
{
    free(t);
}
