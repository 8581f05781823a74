"""The ground floor: settings, topics, messages, the connection and the broker's own configuration."""

VERSION = "0.1.0"
