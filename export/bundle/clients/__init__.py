"""The shortest program for each engine, to be read and taken further; `export.bundle` copies one into a folder."""
