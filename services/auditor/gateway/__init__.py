"""What the auditor reads outside the database: topics, offsets, documents, mails."""
