/*
 * blur.c - blurs a picture, on all processors.
 *
 *     cc blur.c $(pkg-config --cflags --libs salp) -o blur
 *     blur RADIUS < in.ppm > out.ppm
 *
 * Reads and writes PGM and PPM (P5, P6) with 8 bits for each colour. Each pixel becomes the mean of those in the square
 * around it, as far as that lies in the picture. Rows are shared out: nobody needs to wait for another, since what is
 * read is not what is written.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <salp.h>

struct picture {
    size_t width, height, colours; /* colours: 1 or 3, bytes of a pixel */
    unsigned char *pixels;
};

struct blur {
    struct picture from, to;
    size_t radius;
};

static unsigned char mean_around(const struct blur *blur, size_t x, size_t y, size_t colour)
{
    const struct picture *from = &blur->from;
    size_t left = x > blur->radius ? x - blur->radius : 0, top = y > blur->radius ? y - blur->radius : 0;
    size_t sum = 0, count = 0;
    for (size_t row = top; row <= y + blur->radius && row < from->height; row++) {
        for (size_t column = left; column <= x + blur->radius && column < from->width; column++) {
            sum += from->pixels[(row * from->width + column) * from->colours + colour];
            count++;
        }
    }
    return (unsigned char)((sum + count / 2) / count);
}

static int blur_rows(size_t begin, size_t end, void *arg)
{
    struct blur *blur = arg;
    struct picture *to = &blur->to;
    for (size_t y = begin; y < end; y++)
        for (size_t x = 0; x < to->width; x++)
            for (size_t colour = 0; colour < to->colours; colour++)
                to->pixels[(y * to->width + x) * to->colours + colour] = mean_around(blur, x, y, colour);
    return 0;
}

/* ---- pictures ---- */

static bool read_picture(FILE *file, struct picture *picture)
{
    char kind;
    unsigned width, height, most;
    /* One blank, and no more, is between the header and the pixels. */
    if (fscanf(file, "P%c %u %u %u", &kind, &width, &height, &most) != 4 || fgetc(file) == EOF)
        return false;
    if ((kind != '5' && kind != '6') || most != 255 || width - 1 >= 65536 || height - 1 >= 65536)
        return false;
    *picture = (struct picture){ width, height, kind == '5' ? 1 : 3, NULL };
    picture->pixels = malloc(picture->width * picture->height * picture->colours);
    return picture->pixels && fread(picture->pixels, picture->width * picture->colours, height, file) == height;
}

static bool write_picture(FILE *file, const struct picture *picture)
{
    fprintf(file, "P%c\n%zu %zu\n255\n", picture->colours == 1 ? '5' : '6', picture->width, picture->height);
    fwrite(picture->pixels, picture->width * picture->colours, picture->height, file);
    return fflush(file) == 0 && !ferror(file);
}

/* ---- the program ---- */

static int run(struct blur *blur)
{
    salp_pool *pool;
    int error = salp_pool_open(&pool, &(salp_pool_options){ .engine = SALP_THREADS });
    if (error < 0)
        return error;
    error = salp_for(pool, 0, blur->from.height, blur_rows, blur, NULL);
    salp_pool_close(pool);
    return error;
}

static int fail(const struct blur *blur, const char *why)
{
    free(blur->from.pixels);
    free(blur->to.pixels);
    fprintf(stderr, "blur: %s\n", why);
    return 1;
}

int main(int argc, char **argv)
{
    struct blur blur = { .radius = 0 };
    char *end = NULL;
    if (argc == 2)
        blur.radius = strtoul(argv[1], &end, 10);
    if (!end || end == argv[1] || *end != '\0' || blur.radius > 1000) {
        fprintf(stderr, "usage: blur RADIUS < in.ppm > out.ppm (RADIUS: 0 to 1000)\n");
        return 2;
    }
    if (!read_picture(stdin, &blur.from))
        return fail(&blur, "no picture that can be read: P5 or P6, 8 bits");
    blur.to = blur.from;
    blur.to.pixels = malloc(blur.from.width * blur.from.height * blur.from.colours);
    if (!blur.to.pixels)
        return fail(&blur, "out of memory");
    int error = run(&blur);
    if (error < 0)
        return fail(&blur, salp_strerror(error));
    if (!write_picture(stdout, &blur.to))
        return fail(&blur, "cannot write");
    free(blur.from.pixels);
    free(blur.to.pixels);
    return 0;
}
