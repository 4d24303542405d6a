"""What all explorers share: controls, the picture, the read-out, downloads, slow work."""
