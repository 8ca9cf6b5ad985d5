DROP INDEX tasks_about_idx;
