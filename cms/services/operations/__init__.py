"""Operations on many questions at once: one verb, one release, one undo."""
