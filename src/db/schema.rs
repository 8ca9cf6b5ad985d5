//! The tables as diesel sees them. Follows `migrations/` by hand; `tests/it/schema.rs` compares it
//! with a migrated database. Generated columns (`search_text`, `jobs.tenant`) are left out: nobody reads them.

diesel::table! {
    use diesel::sql_types::*;

    instance_settings (name) {
        name -> Text,
        value -> Jsonb,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    workspaces (id) {
        id -> Uuid,
        name -> Text,
        time_zone -> Text,
        week_start -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    users (id) {
        id -> Uuid,
        email -> Text,
        full_name -> Text,
        password_hash -> Nullable<Text>,
        phone -> Nullable<Text>,
        department -> Nullable<Text>,
        avatar_url -> Nullable<Text>,
        preferences -> Jsonb,
        last_login_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    members (workspace_id, user_id) {
        workspace_id -> Uuid,
        user_id -> Uuid,
        role -> Text,
        status -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    sessions (id) {
        id -> Uuid,
        workspace_id -> Uuid,
        user_id -> Uuid,
        kind -> Text,
        user_agent -> Nullable<Text>,
        address -> Nullable<Text>,
        created_at -> Timestamptz,
        last_used_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    session_secrets (hash) {
        hash -> Bytea,
        session_id -> Uuid,
        kind -> Text,
        expires_at -> Timestamptz,
        spent_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    tokens (id) {
        id -> Uuid,
        workspace_id -> Uuid,
        user_id -> Uuid,
        name -> Text,
        hash -> Bytea,
        hint -> Text,
        scopes -> Array<Text>,
        created_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
        last_used_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    one_time_links (hash) {
        hash -> Bytea,
        purpose -> Text,
        user_id -> Nullable<Uuid>,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    sign_in_failures (subject) {
        subject -> Bytea,
        failures -> Int4,
        window_ends_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    invitations (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        email -> Text,
        full_name -> Nullable<Text>,
        role -> Text,
        hash -> Nullable<Bytea>,
        invited_by -> Uuid,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        accepted_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    audit_log (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        at -> Timestamptz,
        actor -> Jsonb,
        user_id -> Nullable<Uuid>,
        action -> Text,
        subject_kind -> Nullable<Text>,
        subject_id -> Nullable<Uuid>,
        address -> Nullable<Text>,
        request_id -> Nullable<Text>,
        details -> Jsonb,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    idempotency_keys (workspace_id, user_id, key) {
        workspace_id -> Uuid,
        user_id -> Uuid,
        key -> Text,
        input_hash -> Bytea,
        answer -> Jsonb,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    outbox (id) {
        id -> Int8,
        workspace_id -> Uuid,
        name -> Text,
        kind -> Nullable<Text>,
        record_ids -> Array<Uuid>,
        payload -> Jsonb,
        actor -> Jsonb,
        at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    events (position, logged_at) {
        position -> Int8,
        logged_at -> Timestamptz,
        workspace_id -> Uuid,
        name -> Text,
        kind -> Nullable<Text>,
        record_ids -> Array<Uuid>,
        payload -> Jsonb,
        actor -> Jsonb,
        at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    event_log_state (single) {
        single -> Bool,
        dropped_position -> Int8,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    reactors (name) {
        name -> Text,
        position -> Int8,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    jobs (id) {
        id -> Uuid,
        workspace_id -> Nullable<Uuid>,
        kind -> Text,
        payload -> Jsonb,
        state -> Text,
        priority -> Int2,
        run_at -> Timestamptz,
        due -> Bool,
        lease_until -> Nullable<Timestamptz>,
        leased_by -> Nullable<Text>,
        attempt -> Int4,
        failures -> Int4,
        max_attempts -> Int4,
        crashes -> Int4,
        cancel_requested -> Bool,
        unique_key -> Nullable<Text>,
        progress -> Jsonb,
        last_error -> Nullable<Text>,
        created_by -> Nullable<Uuid>,
        created_at -> Timestamptz,
        finished_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    schedules (name) {
        name -> Text,
        last_fired_for -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    files (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        name -> Text,
        media_type -> Text,
        status -> Text,
        size -> Int8,
        announced_size -> Nullable<Int8>,
        created_by -> Uuid,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    file_parts (workspace_id, file_id, offset) {
        workspace_id -> Uuid,
        file_id -> Uuid,
        offset -> Int8,
        size -> Int8,
        key -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    accounts (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> Int4,
        name -> Text,
        account_number -> Nullable<Text>,
        website -> Nullable<Text>,
        industry -> Nullable<Text>,
        annual_revenue -> Nullable<Numeric>,
        employees -> Nullable<Int4>,
        account_type -> Text,
        phone -> Nullable<Text>,
        billing_address -> Nullable<Text>,
        billing_city -> Nullable<Text>,
        billing_state -> Nullable<Text>,
        billing_country -> Nullable<Text>,
        billing_postal_code -> Nullable<Text>,
        shipping_address -> Nullable<Text>,
        shipping_city -> Nullable<Text>,
        shipping_state -> Nullable<Text>,
        shipping_country -> Nullable<Text>,
        shipping_postal_code -> Nullable<Text>,
        description -> Nullable<Text>,
        owner_id -> Nullable<Uuid>,
        tags -> Array<Text>,
        custom_fields -> Jsonb,
        created_by -> Uuid,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    contacts (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> Int4,
        first_name -> Nullable<Text>,
        last_name -> Nullable<Text>,
        email -> Nullable<Text>,
        phone -> Nullable<Text>,
        mobile -> Nullable<Text>,
        title -> Nullable<Text>,
        department -> Nullable<Text>,
        account_id -> Nullable<Uuid>,
        source -> Text,
        status -> Text,
        linkedin_url -> Nullable<Text>,
        twitter_handle -> Nullable<Text>,
        address -> Nullable<Text>,
        city -> Nullable<Text>,
        state -> Nullable<Text>,
        country -> Nullable<Text>,
        postal_code -> Nullable<Text>,
        notes -> Nullable<Text>,
        owner_id -> Nullable<Uuid>,
        last_contact_date -> Nullable<Timestamptz>,
        tags -> Array<Text>,
        custom_fields -> Jsonb,
        created_by -> Uuid,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    record_changes (workspace_id, kind, record_id, version) {
        workspace_id -> Uuid,
        kind -> Text,
        record_id -> Uuid,
        version -> Int4,
        at -> Timestamptz,
        actor -> Jsonb,
        origin -> Text,
        before -> Jsonb,
        after -> Jsonb,
        batch -> Nullable<Uuid>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    bulk_changes (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        action -> Text,
        kinds -> Array<Text>,
        work -> Jsonb,
        criteria -> Nullable<Jsonb>,
        matched -> Int8,
        total -> Nullable<Int8>,
        succeeded -> Int8,
        failed -> Int8,
        skipped -> Int8,
        noted -> Int8,
        undoes -> Nullable<Uuid>,
        created_by -> Uuid,
        scopes -> Nullable<Array<Text>>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    bulk_targets (workspace_id, bulk_id, kind, record_id) {
        workspace_id -> Uuid,
        bulk_id -> Uuid,
        kind -> Text,
        record_id -> Uuid,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    bulk_failures (workspace_id, bulk_id, number) {
        workspace_id -> Uuid,
        bulk_id -> Uuid,
        number -> Int8,
        kind -> Text,
        record_id -> Uuid,
        code -> Text,
        field -> Nullable<Text>,
        message -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    record_count_deltas (workspace_id, kind, id) {
        workspace_id -> Uuid,
        kind -> Text,
        id -> Int8,
        delta -> Int8,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    imports (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        kind -> Text,
        status -> Text,
        file_id -> Nullable<Uuid>,
        file_name -> Text,
        file_size -> Int8,
        job_id -> Uuid,
        mapping -> Jsonb,
        options -> Jsonb,
        total_rows -> Nullable<Int8>,
        processed_rows -> Int8,
        created_rows -> Int8,
        updated_rows -> Int8,
        unchanged_rows -> Int8,
        skipped_rows -> Int8,
        failed_rows -> Int8,
        resume_row -> Int8,
        resume_byte -> Int8,
        resume_line -> Int8,
        message -> Nullable<Text>,
        created_by -> Uuid,
        scopes -> Nullable<Array<Text>>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        started_at -> Nullable<Timestamptz>,
        completed_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    import_errors (workspace_id, import_id, row) {
        workspace_id -> Uuid,
        import_id -> Uuid,
        row -> Int8,
        line -> Int8,
        column -> Nullable<Text>,
        value -> Nullable<Text>,
        code -> Text,
        message -> Text,
        cells -> Array<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    contact_lists (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        name -> Text,
        description -> Nullable<Text>,
        list_type -> Text,
        criteria -> Nullable<Jsonb>,
        color -> Text,
        icon -> Nullable<Text>,
        tags -> Array<Text>,
        folder_id -> Nullable<Uuid>,
        sharing -> Text,
        created_by -> Uuid,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
        member_count -> Int8,
        counted_at -> Timestamptz,
        version -> Int4,
        built_version -> Int4,
        build_job_id -> Nullable<Uuid>,
        broken -> Nullable<Text>,
        freeze_at -> Nullable<Timestamptz>,
        reads -> Nullable<Array<Text>>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    custom_fields (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        kind -> Text,
        key -> Text,
        label -> Text,
        description -> Nullable<Text>,
        field_type -> Text,
        choices -> Array<Text>,
        record_kind -> Nullable<Text>,
        is_required -> Bool,
        is_unique -> Bool,
        is_indexed -> Bool,
        position -> Int4,
        created_by -> Uuid,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        filling_job_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    custom_values (workspace_id, field_id, record_id) {
        workspace_id -> Uuid,
        field_id -> Uuid,
        record_id -> Uuid,
        text_value -> Nullable<Text>,
        number_value -> Nullable<Numeric>,
        time_value -> Nullable<Timestamptz>,
        unique_value -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    deal_products (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        deal_id -> Uuid,
        product_id -> Nullable<Uuid>,
        name -> Text,
        quantity -> Numeric,
        unit_price -> Numeric,
        discount_percent -> Numeric,
        position -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    deals (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> Int4,
        name -> Text,
        amount -> Numeric,
        currency -> Text,
        pipeline_id -> Uuid,
        stage_id -> Uuid,
        stage_entered_at -> Timestamptz,
        probability -> Int4,
        expected_close_date -> Nullable<Timestamptz>,
        close_date -> Nullable<Timestamptz>,
        account_id -> Nullable<Uuid>,
        contact_id -> Nullable<Uuid>,
        lead_source -> Nullable<Text>,
        description -> Nullable<Text>,
        next_step -> Nullable<Text>,
        loss_reason -> Nullable<Text>,
        owner_id -> Nullable<Uuid>,
        tags -> Array<Text>,
        custom_fields -> Jsonb,
        created_by -> Uuid,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    lead_conversions (workspace_id, lead_id) {
        workspace_id -> Uuid,
        lead_id -> Uuid,
        contact_id -> Nullable<Uuid>,
        account_id -> Nullable<Uuid>,
        deal_id -> Nullable<Uuid>,
        converted_at -> Timestamptz,
        converted_by -> Uuid,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    leads (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> Int4,
        first_name -> Nullable<Text>,
        last_name -> Nullable<Text>,
        email -> Nullable<Text>,
        phone -> Nullable<Text>,
        company -> Nullable<Text>,
        title -> Nullable<Text>,
        source -> Text,
        status -> Text,
        lead_score -> Int4,
        industry -> Nullable<Text>,
        annual_revenue -> Nullable<Numeric>,
        employees -> Nullable<Int4>,
        website -> Nullable<Text>,
        address -> Nullable<Text>,
        city -> Nullable<Text>,
        state -> Nullable<Text>,
        country -> Nullable<Text>,
        postal_code -> Nullable<Text>,
        notes -> Nullable<Text>,
        converted_date -> Nullable<Timestamptz>,
        last_contact_date -> Nullable<Timestamptz>,
        owner_id -> Nullable<Uuid>,
        tags -> Array<Text>,
        custom_fields -> Jsonb,
        created_by -> Uuid,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    list_builds (workspace_id, list_id, record_id) {
        workspace_id -> Uuid,
        list_id -> Uuid,
        record_id -> Uuid,
        enters -> Bool,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    list_changes (workspace_id, is_bulk, id) {
        workspace_id -> Uuid,
        id -> Int8,
        source -> Text,
        fields -> Nullable<Array<Text>>,
        record_ids -> Array<Uuid>,
        list_ids -> Nullable<Array<Uuid>>,
        is_bulk -> Bool,
        at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    list_clocks (workspace_id) {
        workspace_id -> Uuid,
        at -> Timestamptz,
        time_zone -> Text,
        week_start -> Text,
        took_millis -> Int8,
        tried_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    list_favorites (workspace_id, user_id, list_id) {
        workspace_id -> Uuid,
        user_id -> Uuid,
        list_id -> Uuid,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    list_folders (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        name -> Text,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    list_log (workspace_id, list_id, id) {
        workspace_id -> Uuid,
        list_id -> Uuid,
        id -> Int8,
        record_id -> Uuid,
        at -> Timestamptz,
        entered -> Bool,
        source -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    list_members (workspace_id, list_id, record_id) {
        workspace_id -> Uuid,
        list_id -> Uuid,
        record_id -> Uuid,
        entered_at -> Timestamptz,
        source -> Text,
        is_suspended -> Bool,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    list_shares (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        list_id -> Uuid,
        user_id -> Nullable<Uuid>,
        team_id -> Nullable<Uuid>,
        can_edit -> Bool,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    list_sizes (workspace_id, list_id, hour) {
        workspace_id -> Uuid,
        list_id -> Uuid,
        hour -> Timestamptz,
        size -> Int8,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    notes (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> Int4,
        lead_id -> Nullable<Uuid>,
        contact_id -> Nullable<Uuid>,
        account_id -> Nullable<Uuid>,
        deal_id -> Nullable<Uuid>,
        product_id -> Nullable<Uuid>,
        task_id -> Nullable<Uuid>,
        body -> Text,
        is_pinned -> Bool,
        created_by -> Uuid,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    pipeline_stages (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        pipeline_id -> Uuid,
        name -> Text,
        stage_type -> Text,
        probability -> Int4,
        position -> Int4,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    pipelines (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        name -> Text,
        is_default -> Bool,
        position -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    products (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> Int4,
        name -> Text,
        sku -> Nullable<Text>,
        description -> Nullable<Text>,
        category -> Nullable<Text>,
        price -> Numeric,
        cost -> Nullable<Numeric>,
        currency -> Text,
        stock_quantity -> Int4,
        unit -> Text,
        status -> Text,
        image_url -> Nullable<Text>,
        specifications -> Jsonb,
        owner_id -> Nullable<Uuid>,
        tags -> Array<Text>,
        custom_fields -> Jsonb,
        created_by -> Uuid,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    tasks (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> Int4,
        title -> Text,
        description -> Nullable<Text>,
        status -> Text,
        priority -> Text,
        due_date -> Nullable<Timestamptz>,
        completed_date -> Nullable<Timestamptz>,
        reminder -> Nullable<Timestamptz>,
        reminded_at -> Nullable<Timestamptz>,
        lead_id -> Nullable<Uuid>,
        contact_id -> Nullable<Uuid>,
        account_id -> Nullable<Uuid>,
        deal_id -> Nullable<Uuid>,
        notes -> Nullable<Text>,
        owner_id -> Nullable<Uuid>,
        tags -> Array<Text>,
        custom_fields -> Jsonb,
        created_by -> Uuid,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    team_members (workspace_id, team_id, user_id) {
        workspace_id -> Uuid,
        team_id -> Uuid,
        user_id -> Uuid,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    teams (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        name -> Text,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    timeline (workspace_id, kind, record_id, at, id) {
        workspace_id -> Uuid,
        kind -> Text,
        record_id -> Uuid,
        at -> Timestamptz,
        id -> Uuid,
        what -> Text,
        actor -> Jsonb,
        payload -> Jsonb,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    contact_extra_addresses (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        contact_id -> Uuid,
        kind -> Text,
        address -> Text,
        label -> Nullable<Text>,
        is_live -> Bool,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    record_merges (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        kind -> Text,
        record_id -> Uuid,
        merged_at -> Timestamptz,
        merged_by -> Uuid,
        before -> Jsonb,
        after -> Jsonb,
        undone_at -> Nullable<Timestamptz>,
        undone_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    record_merge_losers (workspace_id, merge_id, record_id) {
        workspace_id -> Uuid,
        merge_id -> Uuid,
        record_id -> Uuid,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    record_merge_moves (workspace_id, merge_id, id) {
        workspace_id -> Uuid,
        merge_id -> Uuid,
        id -> Int8,
        step -> Text,
        row_id -> Uuid,
        data -> Jsonb,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    instance_settings,
    workspaces,
    users,
    members,
    sessions,
    session_secrets,
    tokens,
    one_time_links,
    sign_in_failures,
    invitations,
    audit_log,
    idempotency_keys,
    outbox,
    events,
    event_log_state,
    reactors,
    jobs,
    schedules,
    files,
    file_parts,
    accounts,
    contacts,
    record_changes,
    bulk_changes,
    bulk_targets,
    bulk_failures,
    imports,
    import_errors,
    contact_extra_addresses,
    contact_lists,
    custom_fields,
    custom_values,
    deal_products,
    deals,
    lead_conversions,
    leads,
    list_builds,
    list_changes,
    list_clocks,
    list_favorites,
    list_folders,
    list_log,
    list_members,
    list_shares,
    list_sizes,
    notes,
    pipeline_stages,
    pipelines,
    products,
    record_merge_losers,
    record_merge_moves,
    record_merges,
    tasks,
    team_members,
    teams,
    timeline
);

diesel::joinable!(session_secrets -> sessions (session_id));
diesel::joinable!(members -> users (user_id));
diesel::joinable!(members -> workspaces (workspace_id));
