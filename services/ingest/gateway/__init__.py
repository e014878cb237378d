"""What touches the outside: files, and the parsers that read what strangers wrote."""
