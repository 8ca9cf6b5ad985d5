DROP TABLE file_parts;
DROP TABLE files;
