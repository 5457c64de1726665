// A downstream server on classes that .NET's own generator (`wsdl`) made from the published definitions, as
// those of WSUS itself are: fetches everything and writes it down for mono_client.py.
//
//     Downstream.exe URL FOLDER

using System;
using System.Collections.Generic;
using System.IO;
using System.Text;

static class Program
{
    static string folder;
    static ServerSync.ServerSyncProxy server;
    static ServerSync.Cookie cookie;

    static int Main(string[] arguments)
    {
        folder = arguments[1];
        server = new ServerSync.ServerSyncProxy();
        server.Url = arguments[0] + "/ServerSyncWebService/ServerSyncWebService.asmx";
        cookie = Handshake(arguments[0]);
        var config = server.GetConfigData(cookie, null);
        Must(!config.CatalogOnlySync && config.LazySync, "the flags");
        Must(config.MaxNumberOfUpdatesPerRequest == 100, "the limit of updates: " + config.MaxNumberOfUpdatesPerRequest);
        Must(config.MaxUpdatesPerRequestInGetUpdateDecryptionData == 100, "the limit of keys");
        Must(config.LanguageUpdateList.Length == 39 && config.ProtocolVersion == "1.20", "languages and version");
        string configAnchor, anchor;
        var identities = List(true, null, out configAnchor);
        identities.AddRange(List(false, null, out anchor));
        for (int at = 0; at < identities.Count; at += config.MaxNumberOfUpdatesPerRequest)
            Fetch(identities.GetRange(at, Math.Min(config.MaxNumberOfUpdatesPerRequest, identities.Count - at)));
        Must(List(true, configAnchor, out configAnchor).Count == 0, "the second list of categories");
        Must(List(false, anchor, out anchor).Count == 0, "the second list of updates");
        Must(server.GetConfigData(cookie, config.NewConfigAnchor).LanguageUpdateList.Length == 0, "unchanged languages");
        Must(server.GetRelatedRevisionsForUpdates(cookie, new[] { identities[0].UpdateID }).Length == 0, "nothing is related");
        Must(server.Ping(1).SuccessFlag, "Ping");
        Refused(() => server.GetUpdateData(cookie, new[] { Identity(Guid.NewGuid(), 1) }), "InternalServerError");
        Refused(() => server.GetUpdateData(null, identities.GetRange(0, 1).ToArray()), "InvalidCookie");
        Console.WriteLine(identities.Count);
        return 0;
    }

    static ServerSync.Cookie Handshake(string root)
    {
        var config = server.GetAuthConfig();
        Must(config.AuthInfo.Length == 1 && config.AuthInfo[0].PlugInID == "DssTargeting", "the plug-in");
        var auth = new DssAuth.DssAuthWebService();
        // As WSUS joins them: with one slash too many.
        auth.Url = root + "/" + "/" + config.AuthInfo[0].ServiceUrl;
        var given = auth.GetAuthorizationCookie("dss.example", "11111111-2222-4333-8444-777777777777", null);
        var shown = new ServerSync.AuthorizationCookie { PlugInId = given.PlugInId, CookieData = given.CookieData };
        return server.GetCookie(new[] { shown }, null, "1.20");
    }

    static ServerSync.UpdateIdentity Identity(Guid id, int revision)
    {
        return new ServerSync.UpdateIdentity { UpdateID = id, RevisionNumber = revision };
    }

    static List<ServerSync.UpdateIdentity> List(bool config, string since, out string anchor)
    {
        var filter = new ServerSync.ServerSyncFilter { GetConfig = config, Anchor = since };
        var list = server.GetRevisionIdList(cookie, filter);
        anchor = list.Anchor;
        return new List<ServerSync.UpdateIdentity>(list.NewRevisions);
    }

    static void Fetch(List<ServerSync.UpdateIdentity> batch)
    {
        var data = server.GetUpdateData(cookie, batch.ToArray());
        Must(data.updates.Length == batch.Count && data.fileUrls != null, "a batch");
        foreach (var update in data.updates)
        {
            string name = Path.Combine(folder, update.Id.UpdateID + "-r" + update.Id.RevisionNumber);
            if (update.XmlUpdateBlobCompressed != null)
                File.WriteAllBytes(name + ".cab", update.XmlUpdateBlobCompressed);
            else
                File.WriteAllText(name + ".xml", update.XmlUpdateBlob, new UTF8Encoding(false));
        }
        var seen = new HashSet<string>();
        foreach (var url in data.fileUrls)
            Must(url.FileDigest.Length == 20 && seen.Add(Convert.ToBase64String(url.FileDigest)), "a digest twice");
    }

    static void Refused(Action call, string code)
    {
        try
        {
            call();
        }
        catch (System.Web.Services.Protocols.SoapException refused)
        {
            var found = refused.Detail.SelectSingleNode("ErrorCode");
            Must(found != null && found.InnerText == code, "instead of " + code + ": " + refused.Detail.OuterXml);
            return;
        }
        Must(false, code + " was expected");
    }

    static void Must(bool holds, string what)
    {
        if (holds) return;
        Console.Error.WriteLine("NOT AS IT MUST BE: " + what);
        Environment.Exit(1);
    }
}
