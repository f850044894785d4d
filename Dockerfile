# Sluice in an image that holds the binary, the shared libraries it names, and nothing else: no shell, no package
# manager, no root. Build: docker build -t sluice . — run: docker run --rm --read-only -p 8080:8080 sluice
FROM swift:6.3-bookworm AS build
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

FROM scratch
COPY --from=build /image /
USER 65532:65532
EXPOSE 8080
ENV SLUICE_HOST=0.0.0.0 SLUICE_PORT=8080
HEALTHCHECK --interval=10s --timeout=2s --start-period=30s CMD ["/usr/bin/sluice", "probe"]
ENTRYPOINT ["/usr/bin/sluice"]
CMD ["serve"]
