//! What is there for a client. [MS-WUSP] 3.1.5.6 to 3.1.5.8, 3.1.5.12

use std::collections::BTreeMap;

use super::{wire, written};
use crate::protocol::ErrorCode;
use crate::{
    fleet::Contact,
    protocol::{
        Cookie, EncodedCookie, ProtocolFault, ProtocolVersion,
        client::{
            Action, CategoryRelationship, RefreshCache, RefreshedRevision, StartCategoryScan,
            StartedCategoryScan, SyncInfo, SyncPrinterCatalog, SyncUpdates, UpdateInfo,
            write_refreshed,
        },
    },
    server::{
        call::{Call, Pieces},
        failure::Failure,
        pack::{FragmentKind, fragment::PackedFragment},
        state::server_state::{AgentSession, ServerState, Serving},
        view::{SyncAnswer, SyncQuery, deployments::Offer},
    },
    soap::Element,
    update::UpdateId,
};

pub(super) fn start_category_scan(
    app: &ServerState,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = StartCategoryScan::read(operation)?;
    let serving = app.serving();
    let started = choose(&request.requested, &|id| serving.view.is_category(id));
    Ok(written(|w| started.write(w)))
}

/// [MS-WUSP] 3.1.5.6
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
        let of = |wanted: &str| {
            let is = |t: &Option<String>| t.as_deref() == Some(wanted);
            types.iter().filter(|(_, t)| is(t)).map(|(id, _)| *id).collect::<Vec<_>>()
        };
        match (of("Product").as_slice(), of("UpdateClassification").len(), types.len()) {
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

pub(super) fn sync_updates(
    app: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = SyncUpdates::read(operation)?;
    let visit = admit(app, call, request.cookie.as_deref())?;
    let AgentSession { serving, cookie } = &visit;
    let version = cookie.version;
    let answer = if request.skip_software {
        // No driver is offered: whatever is cached of them may go.
        SyncAnswer {
            out_of_scope: request.cached_drivers,
            anchor: cookie.anchor,
            driver_sync_not_needed: true,
            ..SyncAnswer::default()
        }
    } else {
        let groups = app.fleet().groups_of(&cookie.client)?;
        // Older clients do not know category scans.
        let knows = version >= ProtocolVersion::CATEGORY_SCANS;
        serving.view.sync(&SyncQuery {
            groups: &groups,
            installed: &request.installed_non_leaf,
            cached: &request.other_cached,
            filter: if knows { &request.filter } else { &[] },
            anchor: cookie.anchor,
            two_groups: knows && request.two_groups,
        })
    };
    app.note(&cookie.client, Contact::Synced, call.now)?;
    let info = SyncInfo {
        cookie: renewed(serving, cookie, answer.anchor)?,
        new: with_core(serving, &answer.new)?,
        out_of_scope: answer.out_of_scope,
        changed: answer.changed.iter().map(|offer| update_info(offer, None)).collect(),
        truncated: answer.truncated,
        deployed_out_of_scope: answer.deployed_out_of_scope,
        driver_sync_not_needed: answer.driver_sync_not_needed,
    };
    Ok(written(|w| info.write("SyncUpdates", version, w)))
}

/// There are no printer drivers here.
pub(super) fn sync_printers(
    app: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = SyncPrinterCatalog::read(operation)?;
    let AgentSession { serving, cookie } = admit(app, call, request.cookie.as_deref())?;
    let info = SyncInfo {
        new: Vec::new(),
        out_of_scope: request.cached,
        changed: Vec::new(),
        truncated: false,
        cookie: renewed(&serving, &cookie, cookie.anchor)?,
        deployed_out_of_scope: Vec::new(),
        driver_sync_not_needed: true,
    };
    Ok(written(|w| info.write("SyncPrinterCatalog", cookie.version, w)))
}

pub(super) fn refresh_cache(
    app: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = RefreshCache::read(operation)?;
    let AgentSession { serving, cookie } = app.visit(request.cookie.as_deref(), call.now)?;
    let groups = app.fleet().groups_of(&cookie.client)?;
    let view = &serving.view;
    let revisions: Vec<RefreshedRevision> = request
        .identities
        .into_iter()
        .filter_map(|identity| {
            let offer = view.offer(&groups, view.lookup(&identity)?)?;
            // A WSUS leaves these out; they come again with the update that bundles them.
            (offer.deployment.action != Action::Bundle).then(|| RefreshedRevision {
                id: offer.revision_id.0,
                identity,
                is_leaf: offer.is_leaf,
                deployment: wire(&offer.deployment),
            })
        })
        .collect();
    Ok(written(|w| write_refreshed(&revisions, cookie.version, w)))
}

/// A visit that may synchronize: its configuration is current, and the computer is known.
fn admit(app: &ServerState, call: &Call, token: Option<&[u8]>) -> Result<AgentSession, Failure> {
    let visit = app.visit(token, call.now)?;
    if visit.cookie.last_change != app.config().last_change {
        return Err(
            ProtocolFault::new(ErrorCode::ConfigChanged, "the configuration changed").into()
        );
    }
    if app.config().registration_required && !app.fleet().is_registered(&visit.cookie.client)? {
        return Err(ProtocolFault::new(ErrorCode::RegistrationRequired, "not registered").into());
    }
    Ok(visit)
}

/// The same cookie with what the client now knows. Use does not make it live longer.
fn renewed(serving: &Serving, cookie: &Cookie, anchor: u64) -> Result<EncodedCookie, Failure> {
    let cookie = Cookie { anchor, ..cookie.clone() };
    let sealed = serving.cookies.seal_cookie(&cookie);
    sealed.ok_or_else(|| Failure::internal("cannot seal a cookie"))
}

fn with_core(
    serving: &Serving,
    offers: &[Offer],
) -> Result<Vec<UpdateInfo<PackedFragment>>, Failure> {
    let mut updates = Vec::with_capacity(offers.len());
    for offer in offers {
        match serving.view.fragment(offer.revision_id, FragmentKind::Core)? {
            Some(core) => updates.push(update_info(offer, Some(core))),
            // What has no fragment is not in a view.
            None => tracing::error!(revision = %offer.revision_id, "a revision has no fragment"),
        }
    }
    Ok(updates)
}

fn update_info(offer: &Offer, xml: Option<PackedFragment>) -> UpdateInfo<PackedFragment> {
    UpdateInfo {
        id: offer.revision_id.0,
        deployment: wire(&offer.deployment),
        is_leaf: offer.is_leaf,
        xml,
    }
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
