//! Health, hardware and debug routes of otel-vitals for actix-web.
