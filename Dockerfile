# The same content as make image with the same version of Go, for those who have
# Docker:
#
#   docker build --build-arg VERSION=0.1.0 -t cloudtask.dev/cloudtask:0.1.0 .
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS TARGETARCH VERSION=dev
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
    -ldflags "-s -w -X main.release=$VERSION" -o /cloudtask . && chmod 555 /cloudtask

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title=cloudtask org.opencontainers.image.version=$VERSION
COPY --from=build /cloudtask /cloudtask
USER 65532:65532
ENTRYPOINT ["/cloudtask"]
