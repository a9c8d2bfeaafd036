"""Container images for Kubernetes machines: one mirror for all registries, which containerd asks first."""
