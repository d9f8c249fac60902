# One image for the API and the workers: `cellar api`, `cellar worker`, `cellar migrate`.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
RUN python -m venv /opt/cellar
ENV PATH=/opt/cellar/bin:$PATH
# The dependencies first: they change less often than the code, and this layer is then kept.
COPY requirements.lock ./
RUN pip install --no-cache-dir --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY workers workers
COPY migrations migrations
RUN pip install --no-cache-dir --no-deps .

FROM python:3.11-slim-bookworm
# Recorded with every evaluation, e.g. 0.1.0+9441981; the version of the package where it is empty.
ARG CODE_VERSION=
ENV PATH=/opt/cellar/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CELLAR_CODE_VERSION=$CODE_VERSION \
    CELLAR_DATA_ROOT=/var/lib/cellar
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/cellar cellar \
    && install --directory --owner=cellar --group=cellar --mode=0750 /var/lib/cellar
COPY --from=build /opt/cellar /opt/cellar
USER cellar
WORKDIR /var/lib/cellar
VOLUME /var/lib/cellar
EXPOSE 8000
ENTRYPOINT ["cellar"]
CMD ["api"]
