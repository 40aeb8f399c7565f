//! The API: `POST /items`, `GET /items`, `GET /items/{id}`.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Json, Path, ServiceConfig};
use actix_web::{HttpResponse, ResponseError, web};
use otel_vitals::vars::Counter;

use crate::store::{Item, NewItem, Store};

/// What every worker has.
#[derive(Clone)]
pub(crate) struct Shop {
    pub(crate) store: Store,
    /// Published as `orders`.
    pub(crate) orders: Counter,
}

/// The routes.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .route("/items", web::post().to(add))
        .route("/items", web::get().to(list))
        .route("/items/{id}", web::get().to(get));
}

async fn add(shop: Data<Shop>, item: Json<NewItem>) -> Result<HttpResponse, Failed> {
    let item = in_store(&shop, |store| store.add(item.into_inner())).await?;
    shop.orders.add(1);
    Ok(HttpResponse::Created().json(item))
}

async fn list(shop: Data<Shop>) -> Result<Json<Vec<Item>>, Failed> {
    in_store(&shop, |store| store.list()).await.map(Json)
}

async fn get(shop: Data<Shop>, id: Path<i64>) -> Result<HttpResponse, Failed> {
    let item = in_store(&shop, move |store| store.get(*id)).await?;
    Ok(item.map_or_else(|| HttpResponse::NotFound().finish(), |item| HttpResponse::Ok().json(item)))
}

/// Works on the store where it may wait.
async fn in_store<T: Send + 'static>(
    shop: &Shop,
    work: impl FnOnce(&Store) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, Failed> {
    let store = shop.store.clone();
    let done = web::block(move || work(&store)).await;
    Ok(done.map_err(|_| Failed::Stopped)??)
}

/// Why a request failed that was none of the client's fault.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("the store failed: {0}")]
    Store(#[from] rusqlite::Error),
    #[error("the service stops")]
    Stopped,
}

impl ResponseError for Failed {
    fn status_code(&self) -> StatusCode {
        StatusCode::SERVICE_UNAVAILABLE
    }
}
