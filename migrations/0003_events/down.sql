DROP TABLE reactors;
DROP TABLE event_log_state;
DROP TABLE events;
DROP TABLE outbox;
