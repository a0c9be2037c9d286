-- The index's own database. Text is kept in `chunks`; `keywords` holds the inverted index alone.
CREATE TABLE IF NOT EXISTS stores (
    row INTEGER PRIMARY KEY,
    store_id TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS files (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    store INTEGER NOT NULL REFERENCES stores (row),
    file_id TEXT NOT NULL,
    filename TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    language TEXT,
    attributes TEXT NOT NULL,
    embedder TEXT,
    chunk_count INTEGER NOT NULL,
    text_bytes INTEGER NOT NULL,
    UNIQUE (store, file_id)
);
CREATE TABLE IF NOT EXISTS chunks (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    file INTEGER NOT NULL REFERENCES files (row),
    first_character INTEGER NOT NULL,
    last_character INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    pages TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS languages_of_store ON files (store, language);
CREATE INDEX IF NOT EXISTS chunks_of_file ON chunks (file);
CREATE TABLE IF NOT EXISTS vectors (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    file INTEGER NOT NULL UNIQUE REFERENCES files (row),
    dimensions INTEGER NOT NULL,
    windows_of_chunks BLOB NOT NULL,
    vectors BLOB NOT NULL
);
CREATE VIRTUAL TABLE IF NOT EXISTS keywords USING fts5 (
    filename, text, store, content = '',
    tokenize = "porter unicode61 remove_diacritics 2 categories 'L* N* Co M*'"
);
CREATE VIRTUAL TABLE IF NOT EXISTS keyword_counts USING fts5vocab (keywords, row);
