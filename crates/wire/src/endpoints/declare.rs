//! The macro that declares endpoints.

/// Declares the endpoints of a resource and their `LIST`:
///
/// ```text
/// /// What it does, in a sentence.
/// InstanceGet: Get "/1.0/instances/{name}" since "instances", needs Can(View, Instance),
///     Sync, ThingQuery, Empty => Instance;
/// ```
///
/// The types are query, body `=>` reply; `+ upload` after the body says that a file may come in its place.
macro_rules! endpoints {
    ($(
        #[doc = $about:literal]
        $name:ident : $method:ident $path:literal since $since:literal, needs $needs:expr,
        $kind:ident, $query:ty, $body:ty $(, + $upload:ident)? => $reply:ty;
    )*) => {
        $(
            #[doc = $about]
            pub struct $name;

            impl $crate::endpoints::Endpoint for $name {
                const METHOD: $crate::endpoints::Method = $crate::endpoints::Method::$method;
                const PATH: &'static str = $path;
                const NEEDS: $crate::endpoints::Permission = $needs;
                const SINCE: &'static str = $since;
                const KIND: $crate::endpoints::Kind = $crate::endpoints::Kind::$kind;
                const ABOUT: &'static str = $about.trim_ascii();
                const UPLOAD: bool = false $( || stringify!($upload).len() > 0 )?;
                type Query = $query;
                type Body = $body;
                type Reply = $reply;
            }
        )*

        /// The endpoints of this resource.
        pub const LIST: &[$crate::endpoints::Info] =
            &[ $( $crate::endpoints::Info::of::<$name>(stringify!($name)), )* ];
    };
}
