"""Model cards: what is stored beside published weights, and the README and pictures that are rendered from it."""
