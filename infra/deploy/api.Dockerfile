# The API: no torch, no models, about 200 MB. Built from the repository's root.
FROM python:3.12-slim AS build
WORKDIR /src
RUN python -m venv /opt/atelier
COPY constraints.txt ./
COPY pyproject.toml README.md LICENSE ./
COPY api api
COPY atelier atelier
COPY infra infra
COPY pipelines pipelines
COPY workers workers
RUN /opt/atelier/bin/pip install --no-cache-dir -c constraints.txt .

FROM python:3.12-slim
COPY --from=build /opt/atelier /opt/atelier
ENV PATH=/opt/atelier/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --uid 10001 --no-create-home atelier && install -d -o atelier -m 700 /var/lib/atelier
USER atelier
EXPOSE 8000
CMD ["atelier", "api"]
