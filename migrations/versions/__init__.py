"""One file per version, oldest without `down_revision`. A version that was released is never edited."""
