# Two images of one code. `docker build --target api .` has no torch; `docker build --target worker .` has torch with
# CUDA and runs on a CPU too. Both know every command: `cellar api`, `cellar migrate`, `cellar keys`, ...
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
RUN python -m venv /opt/cellar
ENV PATH=/opt/cellar/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# The dependencies first: they change less often than the code, and these layers are then kept.
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY workers/data/digits/LICENSE.txt workers/data/digits/
RUN pip install --constraint requirements.lock ".[s3]"

FROM build AS build-api
COPY app app
COPY workers workers
COPY migrations migrations
RUN pip install --no-deps .

FROM build AS build-worker
# PyPI's torch for Linux is the one with CUDA, and names the CUDA libraries that it was built with.
RUN pip install --constraint requirements.lock ".[s3,worker]"
COPY app app
COPY workers workers
COPY migrations migrations
RUN pip install --no-deps .

FROM python:3.11-slim-bookworm AS base
# Recorded with every evaluation, e.g. 0.1.0+9441981; the version of the package where it is empty.
ARG CODE_VERSION=
ENV PATH=/opt/cellar/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CELLAR_CODE_VERSION=$CODE_VERSION \
    CELLAR_DATA_ROOT=/var/lib/cellar
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/cellar cellar \
    && install --directory --owner=cellar --group=cellar --mode=0750 /var/lib/cellar
WORKDIR /var/lib/cellar
VOLUME /var/lib/cellar
ENTRYPOINT ["cellar"]

FROM base AS worker
# What the NVIDIA runtime puts into the container: the driver's libraries for CUDA, and NVML, by which workers look.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=build-worker /opt/cellar /opt/cellar
USER 10001:10001
CMD ["worker"]

FROM base AS api
COPY --from=build-api /opt/cellar /opt/cellar
USER 10001:10001
EXPOSE 8000
CMD ["api"]
