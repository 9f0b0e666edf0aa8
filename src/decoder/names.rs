//! The table of a stream's event types, so that one which comes a million times
//! is allocated once, and a server that invents new ones for ever cannot make the
//! table grow.

use alloc::sync::Arc;
use hashbrown::HashTable;

/// How many names are remembered, and how long they may be, in bytes. Streams
/// have a handful; what is beyond is copied with its event.
const MOST: usize = 64;
const LONGEST: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Names {
    table: HashTable<Arc<str>>,
}

impl Names {
    /// The one allocation of `name`, if the table has it or takes it.
    pub(super) fn intern(&mut self, name: &str) -> Option<Arc<str>> {
        if name.len() > LONGEST {
            return None;
        }
        let hash = hash(name);
        if let Some(known) = self.table.find(hash, |known| **known == *name) {
            return Some(Arc::clone(known));
        }
        if self.table.len() == MOST {
            return None;
        }
        let new: Arc<str> = Arc::from(name);
        self.table.insert_unique(hash, Arc::clone(&new), |known| self::hash(known));
        Some(new)
    }
}

/// FNV-1a. That names can be made to collide does no harm among so few.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_name_that_comes_again_is_the_same_allocation() {
        let mut names = Names::default();
        let first = names.intern("content_block_delta").unwrap();
        let again = names.intern("content_block_delta").unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        assert!(!Arc::ptr_eq(&first, &names.intern("ping").unwrap()));
    }

    #[test]
    fn a_server_that_invents_names_cannot_grow_the_table_and_early_names_stay() {
        let mut names = Names::default();
        let early = names.intern("early").unwrap();
        for invented in 0..if cfg!(miri) { 100 } else { 10_000 } {
            names.intern(&format!("name {invented}"));
        }
        assert_eq!(names.table.len(), MOST);
        assert!(Arc::ptr_eq(&early, &names.intern("early").unwrap()));
        assert_eq!(names.intern("late"), None);
        assert_eq!(Names::default().intern(&"x".repeat(LONGEST + 1)), None);
    }
}
