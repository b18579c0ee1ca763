# One image for worker, HTTP door, migrations and the `relance` command; docker-compose.yml says which it is.
# Python 3.11 is the version that the tests run on.
FROM python:3.11.16-slim-trixie AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv --without-pip /opt/relance

# Dependencies first: they change less often than the code.
COPY requirements.lock requirements-dev.lock ./
RUN pip --python /opt/relance/bin/python install --require-hashes --requirement requirements.lock

# The project itself, built by the locked setuptools, which stays behind in this stage.
COPY . .
RUN awk '/^[^ ]/ { wanted = /^setuptools==/ } wanted' requirements-dev.lock > build.lock \
    && pip install --require-hashes --requirement build.lock \
    && pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && pip --python /opt/relance/bin/python install --no-deps /wheels/*.whl


FROM python:3.11.16-slim-trixie

LABEL org.opencontainers.image.title="Relance" org.opencontainers.image.licenses="Apache-2.0"

RUN useradd --system --uid 10001 --no-create-home relance
COPY --from=build /opt/relance /opt/relance
WORKDIR /app
COPY worker.py ./

ENV PATH=/opt/relance/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER relance
EXPOSE 8000
CMD ["relance", "--help"]
