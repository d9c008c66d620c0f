# A worker for the GPUs of its host; the host needs NVIDIA's driver and container toolkit, the image brings CUDA with
# torch. Built from the repository's root. The build argument TORCH_INDEX_URL may name another build of torch.
FROM python:3.12-slim AS build
ARG TORCH_INDEX_URL=
WORKDIR /src
RUN python -m venv /opt/atelier
COPY constraints.txt ./
RUN /opt/atelier/bin/pip install --no-cache-dir -c constraints.txt torch==2.13.0 \
    ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"}
# built for the same CUDA; what else it needs comes below
RUN /opt/atelier/bin/pip install --no-cache-dir -c constraints.txt --no-deps torch==2.13.0 torchvision \
    ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"}
COPY pyproject.toml README.md LICENSE ./
COPY api api
COPY atelier atelier
COPY infra infra
COPY pipelines pipelines
COPY workers workers
RUN /opt/atelier/bin/pip install --no-cache-dir -c constraints.txt torch==2.13.0 ".[worker,gpu]"

FROM python:3.12-slim
# for models whose row says compile_blocks: torch's compiler builds what launches its kernels
RUN apt-get update && apt-get install --no-install-recommends -y gcc libc6-dev && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/atelier /opt/atelier
ENV PATH=/opt/atelier/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1
RUN useradd --uid 10001 --no-create-home atelier && install -d -o atelier -m 700 /var/lib/atelier
USER atelier
EXPOSE 9100
CMD ["atelier", "worker", "--device", "all"]
