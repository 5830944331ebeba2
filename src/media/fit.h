#pragma once

#include "svd/image.h"
#include "svd/request.h"

namespace svd::media {

/// Pillow's Image.resize(..., Image.LANCZOS) for 8-bit RGB, bit for bit as release 13 does it
/// (Pillow src/libImaging/Resample.c: two passes, each rounded to 8 bits from 22-bit fixed-point
/// coefficients). Rows are resized before columns, but after them where the height loses more than
/// twice as many pixels as the width; releases up to 11 lack this exception.
Image resize_lanczos(const Image& image, int width, int height);

/// Region and fitted picture for `fit` (see svd/image.h). crop: the largest centred region of the
/// output's aspect; pad: region is the whole image, fitted has black bars; stretch: region is the
/// whole image.
InputImages fit_image(const Image& image, int width, int height, Fit fit);

}  // namespace svd::media
