//! Everything that crosses a wire between Longwire and its peers, and nothing else.
