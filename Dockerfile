# `make image` does it all: it builds the static program for Linux and puts it into this image, with docker, podman or
# buildah. By hand: `GOOS=linux make build out=bin/image/reelkeep`, then `docker build .`
#
# There is nothing in the image but the program and its license: no shell, no package manager, no base image to update.
# Root certificates are compiled in; mount others over /etc/ssl/certs to have those instead.
FROM scratch

ARG VERSION=devel
ARG REVISION=unknown
LABEL org.opencontainers.image.title="reelkeep" \
      org.opencontainers.image.description="Archives finished HeyGen videos before their links die" \
      org.opencontainers.image.source="https://github.com/reelkeep/reelkeep" \
      org.opencontainers.image.documentation="https://github.com/reelkeep/reelkeep/blob/main/docs/deploy.md" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

COPY LICENSE /LICENSE
COPY bin/image/reelkeep /reelkeep

# Loopback, the default, would be out of reach for probes and for Prometheus.
ENV REELKEEP_OPS_LISTEN=0.0.0.0:9464
EXPOSE 9464

# By number: Kubernetes can't tell that a name is not root.
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/reelkeep", "health"]
ENTRYPOINT ["/reelkeep"]
CMD ["serve"]
