"""A rolling update under load: edges behind a real HAProxy go one by one while clients watch, and nothing is lost."""
