# svd-gen for machines without a GPU:
#
#   docker build -t svd-gen .
#   docker run --rm -v "$PWD:/data" svd-gen --image /data/cat.png --model tiny -o /data/cat.mp4
#
# Real weights are mounted: -v /path/to/models:/models -e SVD_GEN_MODELS=/models
FROM debian:12 AS build
WORKDIR /src
# What set-up installs depends on these files only: other changes do not fetch libtorch again.
COPY scripts/setup.sh scripts/lib.sh scripts/
COPY scripts/wheels scripts/wheels
RUN scripts/setup.sh --no-cuda
COPY . .
RUN cmake --preset release -DSVD_TESTS=OFF \
 && cmake --build --preset release \
 && cmake --install build/release --prefix /opt/svd-gen

FROM debian:12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      libopencv-imgcodecs406 libopencv-imgproc406 libopencv-core406 libopencv-video406 \
      libavformat59 libavcodec59 libavfilter8 libavutil57 libswscale6 libexif12 libfmt9 libstdc++6 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/svd-gen /opt/svd-gen
ENV PATH=/opt/svd-gen/bin:$PATH
WORKDIR /data
ENTRYPOINT ["svd-gen"]
