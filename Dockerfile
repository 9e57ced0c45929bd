# The image of the operator: one static binary, no shell, not root.
#
#   docker build -t registry.example/terroir-manager:v0.1.0 .
#
# Where the public registries cannot be reached, name copies of the two base images:
#
#   docker build --build-arg GO_IMAGE=... --build-arg BASE_IMAGE=... -t ... .
ARG GO_IMAGE=golang:1.26
ARG BASE_IMAGE=gcr.io/distroless/static-debian12:nonroot

FROM --platform=${BUILDPLATFORM} ${GO_IMAGE} AS build
ARG TARGETOS
ARG TARGETARCH
WORKDIR /src

# The dependencies in a layer of their own: they change less often than the code.
COPY go.mod go.sum ./
RUN go mod download

COPY api api
COPY cmd cmd
COPY controllers controllers
COPY internal internal
RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -trimpath -ldflags="-s -w" -o /out/manager ./cmd/manager

FROM ${BASE_IMAGE}
COPY --from=build /out/manager /manager
# The number, not the name: Kubernetes can prove of a number that it is not root.
USER 65532:65532
ENTRYPOINT ["/manager"]
