package app

// Version is stamped by the build: -ldflags "-X github.com/certpace/certpace/internal/app.Version=v1.2.3".
var Version = "dev"
