#pragma once

#include "svd/image.h"
#include "svd/request.h"

namespace svd::media {

/// Pillow's Image.resize(..., Image.LANCZOS) for 8-bit RGB, bit for bit (Pillow
/// src/libImaging/Resample.c: horizontal pass, then vertical, each rounded to 8 bits from 22-bit
/// fixed-point coefficients). So do all releases up to 11; later ones take the vertical pass first
/// for some sizes, which moves single values by one level.
Image resize_lanczos(const Image& image, int width, int height);

/// Region and fitted picture for `fit` (see svd/image.h). crop: the largest centred region of the
/// output's aspect; pad: region is the whole image, fitted has black bars; stretch: region is the
/// whole image.
InputImages fit_image(const Image& image, int width, int height, Fit fit);

}  // namespace svd::media
