//! `k8s.*`, as far as a pod is told about itself.
//!
//! | attribute | variables, the first that is set |
//! | --- | --- |
//! | `k8s.namespace.name` | `K8S_NAMESPACE_NAME`, `POD_NAMESPACE`, else the file of the service account |
//! | `k8s.pod.name` | `K8S_POD_NAME`, `POD_NAME` |
//! | `k8s.pod.uid` | `K8S_POD_UID`, `POD_UID` |
//! | `k8s.node.name` | `K8S_NODE_NAME`, `NODE_NAME` |
//! | `k8s.container.name` | `K8S_CONTAINER_NAME`, `CONTAINER_NAME` |
//! | `k8s.deployment.name` | `K8S_DEPLOYMENT_NAME` |
//! | `k8s.cluster.name` | `K8S_CLUSTER_NAME` |
//!
//! Names without the prefix may mean anything elsewhere: they count inside a cluster only, where Kubernetes sets
//! `KUBERNETES_SERVICE_HOST`.

use opentelemetry::KeyValue;

use super::text;

/// What Kubernetes sets in every container.
pub(super) const IN_CLUSTER: &str = "KUBERNETES_SERVICE_HOST";
const NAMESPACE: &str = "k8s.namespace.name";
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// An attribute, its variable, and its variable inside a cluster.
const TOLD: [(&str, &str, Option<&str>); 7] = [
    (NAMESPACE, "K8S_NAMESPACE_NAME", Some("POD_NAMESPACE")),
    ("k8s.pod.name", "K8S_POD_NAME", Some("POD_NAME")),
    ("k8s.pod.uid", "K8S_POD_UID", Some("POD_UID")),
    ("k8s.node.name", "K8S_NODE_NAME", Some("NODE_NAME")),
    ("k8s.container.name", "K8S_CONTAINER_NAME", Some("CONTAINER_NAME")),
    ("k8s.deployment.name", "K8S_DEPLOYMENT_NAME", None),
    ("k8s.cluster.name", "K8S_CLUSTER_NAME", None),
];

pub(super) fn attributes() -> Vec<KeyValue> {
    told(|name| std::env::var(name).ok(), text(NAMESPACE_FILE).as_deref())
}

/// What `variable` tells, and the text of the service account's namespace file.
fn told(variable: impl Fn(&str) -> Option<String>, namespace_file: Option<&str>) -> Vec<KeyValue> {
    let set = |name| variable(name).as_deref().and_then(not_empty);
    let in_cluster = set(IN_CLUSTER).is_some();
    let told = TOLD.iter().filter_map(|(attribute, ours, general)| {
        let file = || namespace_file.filter(|_| *attribute == NAMESPACE).and_then(not_empty);
        let general = || general.filter(|_| in_cluster).and_then(set);
        let value = set(ours).or_else(general).or_else(file)?;
        Some(KeyValue::new(*attribute, value))
    });
    told.collect()
}

fn not_empty(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_by(variables: &[(&str, &str)], namespace_file: Option<&str>) -> Vec<(String, String)> {
        let get = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let attributes = told(get, namespace_file).into_iter();
        attributes.map(|attribute| (attribute.key.to_string(), attribute.value.to_string())).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn variables_become_attributes() {
        let variables = [("K8S_POD_NAME", "web-1"), ("K8S_POD_UID", "f2c1"), ("K8S_NODE_NAME", " ")];
        let expected = [("k8s.namespace.name", "shop"), ("k8s.pod.name", "web-1"), ("k8s.pod.uid", "f2c1")];
        assert_eq!(told_by(&variables, Some("shop\n")), pairs(&expected));
    }

    #[test]
    fn common_names_count_inside_a_cluster_only() {
        let outside = [("NODE_NAME", "built-in"), ("POD_NAME", "x")];
        assert_eq!(told_by(&outside, None), []);
        let inside =
            [(IN_CLUSTER, "10.0.0.1"), ("POD_NAME", "web-1"), ("NODE_NAME", "n1"), ("K8S_NODE_NAME", "n2")];
        let expected = [("k8s.pod.name", "web-1"), ("k8s.node.name", "n2")];
        assert_eq!(told_by(&inside, None), pairs(&expected));
    }

    /// Rows of the table in `document` about attributes of Kubernetes: the attribute and the variables named with it.
    fn documented(document: &str) -> Vec<(String, Vec<String>)> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(document);
        let text = std::fs::read_to_string(path).unwrap();
        let row = |line: &str| {
            let (attribute, rest) = line.strip_prefix("| `")?.split_once('`')?;
            let quoted = rest.split('`').skip(1).step_by(2);
            let variables = quoted.filter(|name| name.bytes().all(|byte| !byte.is_ascii_lowercase()));
            let named = attribute.starts_with("k8s.");
            named.then(|| (attribute.to_owned(), variables.map(str::to_owned).collect()))
        };
        text.lines().filter_map(row).collect()
    }

    #[test]
    fn every_documented_variable_sets_its_attribute() {
        for document in ["configuration.md", "metrics.md"] {
            let rows = documented(document);
            assert_eq!(rows.len(), TOLD.len(), "{document}: {rows:?}");
            for (attribute, variables) in rows {
                assert!(!variables.is_empty(), "{document}: {attribute}");
                for variable in variables {
                    let set = [(IN_CLUSTER, "10.0.0.1"), (variable.as_str(), "told")];
                    assert_eq!(told_by(&set, None), pairs(&[(&attribute, "told")]), "{document}: {variable}");
                }
            }
        }
    }

    #[test]
    fn a_variable_says_more_than_the_service_account() {
        let told = told_by(&[("K8S_NAMESPACE_NAME", "shop")], Some("default\n"));
        assert_eq!(told, pairs(&[("k8s.namespace.name", "shop")]));
    }
}
