"""The shortest program for each engine, to be read and taken further; a bundle holds a copy of one."""
