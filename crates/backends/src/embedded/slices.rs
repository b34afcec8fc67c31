//! Into how many slices shard groups are divided, as it is recorded in the data folder.

use std::collections::BTreeMap;

use fjall::PersistMode;
use paymux_domain::name::ShardGroup;
use paymux_domain::ports::StoreError;

use super::EmbeddedBackend;
use super::keys::{parse_slices_key, slices_key};
use super::tables::{ReadFault, Table};

impl EmbeddedBackend {
    /// The slices of each group that was ever divided; any other is whole.
    ///
    /// # Errors
    /// The disk fails, or a newer version wrote them.
    pub fn slices(&self) -> Result<BTreeMap<ShardGroup, u16>, StoreError> {
        let view = self.shared.tables.view();
        let mut slices = BTreeMap::new();
        for row in view.prefix(Table::Meta, slices_key("").as_slice()) {
            let key = row.key().map_err(ReadFault::from)?;
            let number = view.slices(&key)?;
            let group = parse_slices_key(&key).ok_or(ReadFault::key(Table::Meta))?;
            slices.insert(group, number);
        }
        Ok(slices)
    }

    /// Records into how many slices a group is divided; on the disk when it returns. For the start, before any record
    /// is taken: it is written beside the committer.
    ///
    /// # Errors
    /// The disk fails.
    pub fn record_slices(&self, group: &ShardGroup, slices: u16) -> Result<(), StoreError> {
        let tables = &self.shared.tables;
        let mut batch = tables.database.batch().durability(Some(PersistMode::SyncAll));
        let number = u64::from(slices).to_be_bytes();
        batch.insert(tables.of(Table::Meta), slices_key(group.as_str()), number.to_vec());
        Ok(batch.commit().map_err(ReadFault::from)?)
    }
}
