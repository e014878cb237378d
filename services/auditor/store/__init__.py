"""Named queries over every service's schema, under the auditor's role, which may only read."""
