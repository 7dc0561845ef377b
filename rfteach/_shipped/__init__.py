"""What is shipped with the package: trained flows, their manifests, and the reader for both."""
