"""The released Avro schemas and their examples, a folder per topic; a package so that they ship."""
