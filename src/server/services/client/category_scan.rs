//! Which categories a client may narrow its scan to. [MS-WUSP] 3.1.5.6

use std::collections::BTreeMap;

use crate::{
    protocol::client::{CategoryRelationship, StartCategoryScan, StartedCategoryScan},
    server::{
        call::{Call, Pieces, Service},
        failure::Failure,
        state::server_state::ServerState,
    },
    soap::Element,
    update::UpdateId,
};

pub(super) fn start_category_scan(
    state: &ServerState,
    _: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = StartCategoryScan::read(operation)?;
    let serving = state.serving.get();
    let started = choose(&request.requested, &|id| serving.view.category_type(id));
    Ok(Service::Client.write(|w| started.write(w)))
}

/// The products to which the scan can be narrowed, and the categories that are unknown.
fn choose(
    requested: &[CategoryRelationship],
    category_type: &dyn Fn(UpdateId) -> Option<String>,
) -> StartedCategoryScan {
    let mut groups: BTreeMap<i32, Vec<UpdateId>> = BTreeMap::new();
    for relationship in requested {
        groups.entry(relationship.and_group).or_default().push(relationship.category);
    }
    let mut chosen = StartedCategoryScan::default();
    let mut plain = true;
    for group in groups.into_values() {
        let types: Vec<_> = group.iter().map(|id| (*id, category_type(*id))).collect();
        let unknown: Vec<_> =
            types.iter().filter(|(_, t)| t.is_none()).map(|(id, _)| *id).collect();
        if !unknown.is_empty() {
            chosen.in_error.extend(unknown);
            continue;
        }
        let of_type = |wanted: &str| {
            let matches = |t: &Option<String>| t.as_deref() == Some(wanted);
            types.iter().filter(|(_, t)| matches(t)).map(|(id, _)| *id).collect::<Vec<_>>()
        };
        let classifications = of_type("UpdateClassification").len();
        match (of_type("Product").as_slice(), classifications, types.len()) {
            ([product], 0, 1) | ([product], 1, 2) => {
                if !chosen.preferred.contains(product) {
                    chosen.preferred.push(*product);
                }
            }
            // Nothing that can be narrowed down: the scan is for all.
            _ => plain = false,
        }
    }
    if !plain {
        chosen.preferred.clear();
    }
    chosen
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const PRODUCT: u128 = 1;
    const OTHER_PRODUCT: u128 = 2;
    const CLASSIFICATION: u128 = 3;
    const FAMILY: u128 = 4;
    const UNKNOWN: u128 = 9;

    fn id(number: u128) -> UpdateId {
        UpdateId(Uuid::from_u128(number))
    }

    fn chosen(requested: &[(i32, u128)]) -> (Vec<UpdateId>, Vec<UpdateId>) {
        let requested: Vec<_> = requested
            .iter()
            .map(|(and_group, category)| CategoryRelationship {
                and_group: *and_group,
                category: id(*category),
            })
            .collect();
        let types = |id: UpdateId| match id.0.as_u128() {
            PRODUCT | OTHER_PRODUCT => Some("Product".to_owned()),
            CLASSIFICATION => Some("UpdateClassification".to_owned()),
            FAMILY => Some("ProductFamily".to_owned()),
            _ => None,
        };
        let chosen = choose(&requested, &types);
        (chosen.preferred, chosen.in_error)
    }

    #[test]
    fn products_are_preferred() {
        assert_eq!(chosen(&[(0, PRODUCT)]), (vec![id(PRODUCT)], vec![]));
        assert_eq!(chosen(&[(0, PRODUCT), (0, CLASSIFICATION)]), (vec![id(PRODUCT)], vec![]));
        assert_eq!(
            chosen(&[(1, OTHER_PRODUCT), (0, PRODUCT), (2, PRODUCT)]),
            (vec![id(PRODUCT), id(OTHER_PRODUCT)], vec![])
        );
    }

    #[test]
    fn unknown_categories_drop_their_group() {
        assert_eq!(
            chosen(&[(0, PRODUCT), (0, UNKNOWN), (1, OTHER_PRODUCT)]),
            (vec![id(OTHER_PRODUCT)], vec![id(UNKNOWN)])
        );
    }

    #[test]
    fn any_other_shape_asks_for_all() {
        for shape in [
            &[(0, CLASSIFICATION)][..],
            &[(0, FAMILY)],
            &[(0, PRODUCT), (0, OTHER_PRODUCT)],
            &[(0, PRODUCT), (1, CLASSIFICATION)],
            &[(0, PRODUCT), (0, CLASSIFICATION), (0, FAMILY)],
        ] {
            assert_eq!(chosen(shape), (vec![], vec![]), "{shape:?}");
        }
    }
}
