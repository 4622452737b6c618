# The production image: what runs, without what builds, tests or checks it.

FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements.txt /tmp/
# Everything above the line that names the tools.
RUN sed '/^# Tools/,$d' /tmp/requirements.txt > /tmp/production.txt && pip install -r /tmp/production.txt
COPY . /app
WORKDIR /app
# Settings ask for secrets; building needs them to be there, not to be secret.
RUN python -m config.messages compile \
    && SECRET_KEY=build FIELD_ENCRYPTION_KEYS=build FIELD_DIGEST_KEY=build \
       DATABASE_URL=postgresql:///build REDIS_URL=redis://build/0 \
       python manage.py collectstatic --noinput --verbosity 0


FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home --home-dir /app opentab \
    && install -d -o opentab -g opentab /media /state
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MEDIA_ROOT=/media
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
USER opentab
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s CMD ["python", "-m", "config.probe"]
CMD ["gunicorn", "-c", "config/gunicorn.py", "config.wsgi"]
