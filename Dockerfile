# Sluice in an image that holds the binary, the shared libraries it names, its bill of materials, and nothing else: no
# shell, no package manager, no root.
#   build: docker build -t sluice .   (`make image` fills in the labels' arguments)
#   run: docker run --rm --read-only --cap-drop ALL -p 8080:8080 sluice
#   the bill alone: docker build --target sbom -o . .
FROM swift:6.3-bookworm AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# Debian's own versions: a stable release brings nothing but fixes, and the bill of materials says which were taken.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends libssl-dev zlib1g-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN swift build -c release --product sluice --static-swift-stdlib -Xlinker --strip-all
# The file tree of the image: the binary and the transitive closure of the libraries that it links.
RUN set -eu; mkdir -p /image/usr/bin; \
    install -m 0755 "$(swift build -c release --show-bin-path)/sluice" /image/usr/bin/sluice; \
    ldd /image/usr/bin/sluice | grep -oE '/[^ )]+' | sort -u | while read -r library; do \
      install -D -m 0755 "$(readlink -f "$library")" "/image$library"; \
    done
RUN mkdir -p /image/usr/share/sbom \
 && scripts/sbom /image "$(/image/usr/bin/sluice --version | cut -d ' ' -f 2)" > /image/usr/share/sbom/sluice.spdx.json

FROM scratch AS sbom
COPY --from=build /image/usr/share/sbom/sluice.spdx.json /

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="sluice" \
      org.opencontainers.image.description="Gated feed-forward layers of Transformers over HTTP, on CPUs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED"
COPY --from=build /image /
USER 65532:65532
EXPOSE 8080
ENV SLUICE_HOST=0.0.0.0 SLUICE_PORT=8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["/usr/bin/sluice", "probe"]
ENTRYPOINT ["/usr/bin/sluice"]
CMD ["serve"]
