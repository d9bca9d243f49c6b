-- What CREATE VIRTUAL TABLE name USING ann(…) makes beside itself. docs/FORMAT.md tells what is in them.
-- The extension writes these statements itself: this file is for reading, and a test compares the two.

-- settings and counters: format, state, calibration, options
CREATE TABLE "name_config"(id INTEGER PRIMARY KEY, name TEXT, value);

-- one row a vector
CREATE TABLE "name_vectors"(id INTEGER PRIMARY KEY, vector BLOB);

-- the forest: leaves and directories by number
CREATE TABLE "name_pages"(id INTEGER PRIMARY KEY, data BLOB);

-- in which leaf of each tree a row is
CREATE TABLE "name_places"(id INTEGER PRIMARY KEY, pages BLOB);

-- runs of ids that are not in the forest yet
CREATE TABLE "name_waiting"(id INTEGER PRIMARY KEY, last INTEGER);

-- An index over an ordinary table (content = …) has no table of vectors, but
-- the ids of rows that were written since, which triggers on that table note
-- CREATE TABLE "name_changes"(id INTEGER PRIMARY KEY);
