# The broker's image, built from source; docker/quick.sh makes the same from a binary that is there already.
FROM debian:bookworm-slim AS toolchain
WORKDIR /src
# A stage of their own, so that a changed source does not install the packages again.
COPY tests/dev/common.sh tests/dev/common.sh
RUN bash -c '. tests/dev/common.sh && need build'

FROM toolchain AS build
LABEL shoal.stage=build
COPY . .
RUN bash -c '. tests/dev/common.sh && build image shoal' \
 && docker/collect.sh build/image/shoal /out

FROM debian:bookworm-slim
COPY --from=build /out/packages /tmp/
COPY docker/runtime.sh /tmp/
RUN sh /tmp/runtime.sh /tmp/packages && rm /tmp/runtime.sh /tmp/packages
COPY --from=build /out/shoal /usr/local/bin/shoal
COPY docker/entrypoint.sh /usr/local/bin/shoal-entrypoint
COPY docker/healthcheck.sh /usr/local/bin/shoal-healthcheck

ENV SHOAL_DATA_DIR=/var/lib/shoal
VOLUME /var/lib/shoal
EXPOSE 1883 7883 8084 8883
USER shoal
WORKDIR /var/lib/shoal
STOPSIGNAL SIGTERM
# A node that lost its cluster is not ready and still alive: this tells the operator, it restarts nothing.
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=2 CMD ["shoal-healthcheck"]
ENTRYPOINT ["tini", "--", "shoal-entrypoint"]
CMD ["serve"]

ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Shoal" \
      org.opencontainers.image.description="A clustered MQTT broker" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
