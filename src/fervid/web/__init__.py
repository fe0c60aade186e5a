"""The web app: REST, WebSockets and pages on one's own machine; extra ``web``."""
